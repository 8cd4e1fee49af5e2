"""What PyTorch does unless told otherwise: one probe for each row of docs/differences.md."""
