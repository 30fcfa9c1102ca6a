"""Pictures in, readings out: the reading of faces, without any framework.

``media`` decodes in a process of its own; ``faces``, ``landmarks``, ``blendshapes``, ``expressions`` and
``body`` are one model each; ``pose``, ``gaze`` and ``smile_signs`` are computed from the landmarks;
``quality`` decides whether anything can be said. ``moments`` puts them together for one picture. A
photograph's comes out as ``readings``; a film's are laid out by ``series``, ``events`` finds what
happened when, and ``summaries`` sums it up. ``covering`` and ``film_covering`` make what may be kept.
Only one person is read: where it cannot be told who that
is, nobody is.
"""
