"""Data subjects, purposes, notices and consent records; the gate that everything else asks.

Consent events only grow; beside them one locked ``ConsentState`` row per subject and purpose says what
is so now. ``enforcement`` is the only place that issues permits."""
