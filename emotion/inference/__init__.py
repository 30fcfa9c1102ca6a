"""Bytes in, readings out: the reading of faces, without any framework.

``media`` decodes in a process of its own; ``faces``, ``landmarks``, ``blendshapes`` and ``expressions`` are
one model each; ``quality`` decides whether anything can be said; ``readings`` is what comes out. Only the
person in front is read: with several faces nobody is.
"""
