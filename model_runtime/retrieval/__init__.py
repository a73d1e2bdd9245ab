"""What may stand in a hole by what stands elsewhere, and which of all candidates is best.

Given text around a hole and other texts, it finds drafts; given candidates and their scores, it ranks them
and says how likely each is right. It knows no model and no tensors.
"""
