"""How a decision and a monitor's summary read: words, charts and pages."""
