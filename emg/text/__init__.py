"""What the octets of a short message mean: alphabets, data coding, user data header, long messages.

Pure: values in, values out, no clock, no state but the counters of `references`. A body and its header travel apart:
`udh` is the header with its length octet (empty without one), `body` what follows it; GSM 7-bit bodies are unpacked,
one septet an octet. Whatever can't be done without loss raises an error of `emg.text.errors`; nothing is ever cut short
or replaced unasked.
"""
