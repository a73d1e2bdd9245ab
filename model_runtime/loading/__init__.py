"""From a user's choice to a loaded model: files are found and checked, and weights are put on a device,
packed if need be.

Returns a denoiser and what prompting needs; whatever is wrong becomes a `ModelError` of one line. It asks
no network.
"""
