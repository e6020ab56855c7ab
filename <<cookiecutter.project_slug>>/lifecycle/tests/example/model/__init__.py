"""The tests' own model, in place of the team's."""
