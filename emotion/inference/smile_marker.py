"""Whether a smile had the Duchenne marker: cheeks and eyes that rise together with the corners of the
mouth.

"""

CANNOT_TELL = "cannot-tell"
PROVES_NO_FEELING = (
    "The marker is a pattern of movements. It proves no feeling: people show it when they pose, and smile "
    "gladly without it."
)
