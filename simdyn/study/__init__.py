"""A claim put to the test: study files, cells, references, verdicts, figures."""
