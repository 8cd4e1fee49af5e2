"""What PyTorch and Keras do unless told otherwise, measured on the installed libraries: docs/differences.md.

`rows` says what each framework default is called, what it does to a curve, and the code that sets it. `pytorch` and
`tensorflow` hold a probe for each row, which measures what the library does. `formulas` and `update_rules` are what a
probe may find. `table` runs the probes and writes the page.
"""
