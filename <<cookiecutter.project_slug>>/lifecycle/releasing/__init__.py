"""What each environment runs, and the verbs that change it."""
