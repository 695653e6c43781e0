"""The statistical filter (S27): features, learner, model file, calibration, explanation, evaluation.

The scoring path (`features`, `learner`, `model_file`, `explanation`) imports numpy and nothing heavier.
"""
