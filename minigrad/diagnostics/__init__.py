"""What is the matter? Curvature during training, eigenvalues, the cost surface, gradient noise, the first NaN."""
from minigrad.diagnostics.anomaly import detect_anomaly
from minigrad.diagnostics.curvature import CurvatureMonitor
from minigrad.diagnostics.doctor import doctor
from minigrad.diagnostics.noise import gradient_noise
from minigrad.diagnostics.sharpness import sharpness
from minigrad.diagnostics.spectrum import hessian_spectrum, lanczos
from minigrad.diagnostics.surface import loss_along, loss_surface, trajectory_surface
from minigrad.diagnostics.symmetries import permute_units, rescale_units

__all__ = [
    "CurvatureMonitor", "detect_anomaly", "doctor", "gradient_noise", "hessian_spectrum", "lanczos", "loss_along",
    "loss_surface", "permute_units", "rescale_units", "sharpness", "trajectory_surface",
]
