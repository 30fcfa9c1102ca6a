"""Sealing: nothing personal is stored in plain, and every erasure unit has a key that can die
alone.

The vault's tables live in the keystore, a second database with a short backup life. It opens
nothing without a live permit and a durable log receipt."""
