"""What a file declares about itself in XMP, IPTC and AIGC: written before signing, read back without being believed."""
