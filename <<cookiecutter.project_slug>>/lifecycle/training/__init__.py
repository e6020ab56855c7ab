"""From the rows to a model directory, and the champion that it is compared with."""
