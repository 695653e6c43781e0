"""From findings to outcomes: policy, verdict, plan, the story that is kept, replay. Pure."""
