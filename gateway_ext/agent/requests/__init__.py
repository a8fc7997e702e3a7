"""What the agent knows of requests: whose they are, where their messages are in the journal, which
have no answer yet, who has used the kernel, and the replay for a page that has missed some.

`index`, `merged_streams`, `people` and `unanswered` decide and hold nothing else; `kernel_requests`
puts them between kernel and journal. Of the agent `entry` and `journal` may be imported here.
"""
