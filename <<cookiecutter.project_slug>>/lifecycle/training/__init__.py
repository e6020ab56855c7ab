"""From the data file to a model directory, and the champion that it is compared with."""
