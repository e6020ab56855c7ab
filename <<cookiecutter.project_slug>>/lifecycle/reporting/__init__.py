"""Words, charts and pages for decisions and the monitor's summaries."""
