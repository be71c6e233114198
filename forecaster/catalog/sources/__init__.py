"""The services that a catalogue can be read from, one module each."""
