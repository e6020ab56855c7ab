"""From the data files, wherever they are, to the rows to train and to test on."""
