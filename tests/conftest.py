"""What every test shares: Hypothesis measures behaviour, not the speed of the machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("mentra_trio", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "soak",
    settings.get_profile("mentra_trio"),
    max_examples=100 * settings.get_profile("mentra_trio").max_examples,
    print_blob=True,
)
settings.load_profile("mentra_trio")
