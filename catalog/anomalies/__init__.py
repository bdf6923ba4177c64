"""What supervisors should look at: rules over entries, each a pure function in a module of its own."""
