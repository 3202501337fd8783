"""What stands between this machine and an answer: config, gateway, keys, and the way to every configured provider.

Law: only hosts that the config names are contacted, and a key goes only where the gateway would send it. Every finding
says what it found, and everything but good news says what to do.
"""

from llr.control.doctor.examine import Patient, examine
from llr.control.doctor.findings import Finding, Grade

__all__ = ["Finding", "Grade", "Patient", "examine"]
