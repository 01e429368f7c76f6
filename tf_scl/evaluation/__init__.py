"""How good is a frozen encoder: probe, kNN, collapse, gate."""
