"""Embeds or classifies image files by TF Serving's REST interface; Python alone is needed.

    python docs/how-to/serving/rest_client.py http://localhost:8501 encoder a.png b.jpg

Prints a line of JSON for each file: its name and its embedding; of a classifier also its label
and score.
"""

import base64
import json
import sys
import urllib.error
import urllib.request


def predict(server, model, files):
    """Answers to the contents of files.

    Args:
        server: Such as "http://localhost:8501".
        model: Name of the model in the server.
        files: List of bytes, PNG or JPEG.

    Returns:
        List of dicts, as long as `files`, from output ("embedding", ...) to its value.

    Raises:
        RuntimeError: With what the server says, such as "image_bytes[1] is ..."; or that there is
            none.
    """
    instances = [{"b64": base64.b64encode(data).decode()} for data in files]
    body = json.dumps({"signature_name": "serving_default", "instances": instances})
    url = f"{server}/v1/models/{model}:predict"
    try:
        with urllib.request.urlopen(url, body.encode(), timeout=60) as answer:
            predictions = json.load(answer)["predictions"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["error"]) from None
    except urllib.error.URLError as error:
        raise RuntimeError(f"no answer from {url}: {error.reason}") from None
    # The server leaves out the name of an output that is the only one.
    return [one if isinstance(one, dict) else {"embedding": one} for one in predictions]


def main():
    """Sends the files of the command line."""
    server, model, *paths = sys.argv[1:]
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    try:
        found = predict(server, model, contents)
    except RuntimeError as error:
        sys.exit(str(error))
    for path, answer in zip(paths, found, strict=True):
        print(json.dumps({"file": path, **answer}))


if __name__ == "__main__":
    main()
