"""The bitstream: header, frame, fields and container; damaged or hostile input ends here."""
