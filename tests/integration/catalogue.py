"""Which faults of docs/lab/faults.md a test is for."""


def faults(*numbers):
    """Marks a test. tests/fault_catalogue reads the numbers from the source, so they stand there as numbers."""

    def mark(test):
        test.faults = numbers
        return test

    return mark
