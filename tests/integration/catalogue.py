"""Links a test to the faults of docs/lab/faults.md that it tests."""


def faults(*numbers):
    """A decorator with the numbers of the faults. tests/fault_catalogue reads them from the source, so they must be
    literals."""

    def mark(test):
        test.faults = numbers
        return test

    return mark
