"""From a user's choice of model to a loaded one: finds and checks files, puts weights on a device, packs
them.

It decides device, dtype and how much memory the cache gets. It returns a denoiser and what prompting needs;
whatever is wrong becomes a `ModelError` of one line. It opens no connection.
"""
