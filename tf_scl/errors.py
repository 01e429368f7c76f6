"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Something the user gave (a folder, a file, a setting) cannot be used.

    The message names the value, the place it came from and what to do about
    it, so a command line can print it alone, without a traceback.
    """
