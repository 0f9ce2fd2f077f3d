"""What each step and each number means, in words: for the report and for the documentation."""

from __future__ import annotations

from collections.abc import Mapping

STEPS: Mapping[str, str] = {
    "load": "Write all records by `upsert`, in pieces; after each wait until its last record is found.",
    "settle": "Flush and build the indexes, as every ingest ends; then look at memory and disk.",
    "cold": "The first search of a new process, packages and opening included. A server keeps running, and "
    "the system's cache of files is not emptied.",
    "search": "One caller asks every query once a turn.",
    "topk": "The same with other numbers of hits.",
    "filtered": "Conditions of four shapes that match a known part of the records.",
    "grouped": "The best hit of each video.",
    "concurrency": "Several callers at once for a fixed time, each asking as soon as it has its answer.",
    "overhead": "The same searches through polyreel and by the engine's own best calls, in turns.",
    "writing": "The same records written through polyreel and by the engine's own calls, in new collections.",
    "mixed": "Two callers search while one more writes stored records again.",
    "ingest": "Take the folder of videos in, with a clock at every adapter.",
    "query": "Every query of the evaluation file, embedded anew; the first one warms up.",
    "quality": "What was found, against what the evaluation file says should be (`polyreel evaluate`).",
    "agreement": "How alike two stacks answer: the part of the videos found by either that both found, and "
    "the part of the first one's hits beside which the other has one that shares half of the time.",
}

NUMBERS: Mapping[str, str] = {
    "records": "Records written in a second, making them searchable not included.",
    "searchable": "Seconds from the return of a write until its last record is found.",
    "flush": "Seconds to make all that was written survive a loss of power.",
    "optimized": "Seconds of flush and index building together.",
    "memory": "What the process that holds the engine has in memory (RSS): the server's where the benchmark "
    "started one, else the stack's own, Python and packages included; pages of files are counted.",
    "memory, grown": "The same, less what the process had before the collection was opened.",
    "memory, own": "The growth without pages of files, which the system takes back when it needs them.",
    "disk": "What the records and indexes take on the disk, holes left out.",
    "open": "Seconds until the collection is open.",
    "first answer": "Seconds until the first search is answered, opening included.",
    "p50": "Half of the answers came within this time.",
    "p95": "95 of 100 answers came within this time.",
    "p99": "99 of 100 answers came within this time; of fewer than 100 it is the slowest.",
    "queries": "Queries answered in a second, by all callers together.",
    "recall": "Of the hits that comparing all vectors finds, the part that was found; only records "
    "that match the condition count, and of those that are equally like the query either is right.",
    "errors": "Queries or writes that failed.",
    "asked": "Queries of a turn. A slow stack asks fewer in the time of a turn.",
    "query": "A query through polyreel.",
    "raw query": "The same by the engine's own call.",
    "ratio": "How many times longer a search takes through polyreel.",
    "added": "Milliseconds that polyreel adds to a query.",
    "upsert": "Microseconds to write a record through polyreel.",
    "raw upsert": "The same by the engine's own call.",
    "speed": "Records a second through polyreel over those of the engine's own calls.",
    "rewritten": "Records written again in a second while others search.",
    "videos": "Videos taken in a minute, one after the other.",
    "seconds": "Seconds to take a video in.",
    "split": "Of these, or of a query's milliseconds, what each part takes; what a part calls isn't its own.",
    "written": "Records made of a video.",
    "cost": "What embedding the folder costs by the rates of the configuration.",
    "video": "Seconds of video in the folder.",
    "total": "Milliseconds of a query, from the call to the hits.",
    "same videos": "Of the videos that either of two stacks found, those that both found.",
    "same moments": "Of the first stack's hits, those beside which the other has nearly the same.",
}
