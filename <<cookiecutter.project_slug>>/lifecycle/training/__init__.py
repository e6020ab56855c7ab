"""From the data file to a model directory, and the model that it is compared with."""
