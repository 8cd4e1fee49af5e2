"""What TensorBoard's page downloads: a CSV of one measure, or a JSON list of triples without names."""

from dataclasses import replace

from shared.logs.formats.source import LogFile
from shared.logs.formats.table import Table

NAMES = ("Wall time", "Step", "Value")
MOST_POINTS = 1_000  # unless TensorBoard was started with another --samples_per_plugin


def download(table: Table, _file: LogFile) -> Table | None:
    """Wall time, step and value."""
    if tuple(table.names) != NAMES:
        return None
    note = (
        f"A download from TensorBoard holds {MOST_POINTS:,} points at most and may lack step 0: prefer the event file."
    )
    return replace(table, form=f"{table.form}, a download from TensorBoard", silent=True, notes=(*table.notes, note))
