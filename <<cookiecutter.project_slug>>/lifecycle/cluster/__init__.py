"""What a cluster lacks: asks it through kubectl, and says what brings each part."""
