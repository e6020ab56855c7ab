"""Makes a release's papers from its record alone: model card, bill of materials, lineage."""
