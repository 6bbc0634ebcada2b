namespace Forebay.Mounting.Messages;

/// <summary>What the processes of a mount tell each other; the numbers are part of the protocol between versions.</summary>
internal enum MessageKind
{
    /// <summary>Launcher → holder: the mount, with the holder's end of the first worker's socket and the shared memory.</summary>
    Launch = 1,

    /// <summary>Worker → new holder: the mount as it runs, with shared memory and device.</summary>
    Adopt = 2,

    /// <summary>Worker → holder: process id and version.</summary>
    Hello = 3,

    /// <summary>Holder → worker, launcher → first worker: the mount, with the shared memory. A worker that only stands by warms up with it.</summary>
    Describe = 4,

    /// <summary>Holder → worker, launcher → first worker: go. Without a device: check the source. With one: what INIT negotiated, and serve at once.</summary>
    Begin = 5,

    /// <summary>Worker → holder: engine and source are good, the mount may be made; a warning for who mounts, or nothing.</summary>
    CanServe = 6,

    /// <summary>Holder → worker: the device of the new mount.</summary>
    Device = 7,

    /// <summary>Worker → holder: requests are being read; what INIT negotiated.</summary>
    Serving = 8,

    /// <summary>Worker → holder: a first request was answered.</summary>
    Answered = 9,

    /// <summary>Worker → holder, holder → launcher or client: it failed; exit code and sentence.</summary>
    Failed = 10,

    /// <summary>Worker → holder: the kernel says the mount is gone.</summary>
    Unmounted = 11,

    /// <summary>Launcher or worker → holder: unmount, please.</summary>
    Unmount = 12,

    /// <summary>Holder → worker: stop reading requests, answer those at hand, let the cache go.</summary>
    Drain = 13,

    /// <summary>Worker → holder: drained; it ends now.</summary>
    Drained = 14,

    /// <summary>Holder → launcher: the mount answers; process ids, and the warning.</summary>
    Ready = 15,

    /// <summary>Client → holder: a worker of this executable shall take over.</summary>
    Upgrade = 16,

    /// <summary>Holder → client: it has.</summary>
    Upgraded = 17,

    /// <summary>Holder → worker: say that you are there.</summary>
    Ask = 18,

    /// <summary>Worker → holder: it is there; 1 when requests wait longer than any may.</summary>
    Alive = 19,
}
