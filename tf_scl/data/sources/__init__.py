"""Where images come from, behind one interface: folders, tfds, TFRecords, tars, numpy."""
