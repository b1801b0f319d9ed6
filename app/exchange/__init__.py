"""Files in and out, checked whole before anything is written."""
