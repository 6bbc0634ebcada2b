namespace Forebay.Mounting.Registry;

/// <summary>One mount as <c>forebay mount --list</c> shows it.</summary>
/// <param name="Source">What is mounted.</param>
/// <param name="Directory">Where.</param>
/// <param name="HolderPid">Process that owns the device.</param>
/// <param name="WorkerPid">Process that answers; 0 while it is being replaced.</param>
/// <param name="Passthrough">Whole cached files are handed to the kernel.</param>
public sealed record RegisteredMount(string Source, string Directory, int HolderPid, int WorkerPid, bool Passthrough)
{
    /// <summary>Names the files of this mount in the runtime directory.</summary>
    public string Id { get; init; } = "";

    /// <summary>Name of the mount point in the worker's own namespace: a path below the directory is <c>/name/…</c> there.</summary>
    public string Name { get; init; } = "";

    /// <summary>Socket of the holder, for <c>mount --upgrade</c>.</summary>
    public string HolderSocket { get; init; } = "";

    /// <summary>Socket of the worker: the admin API of this mount.</summary>
    public string ControlSocket { get; init; } = "";

    /// <summary>Workers that took over from one that had died, since it was mounted.</summary>
    public int WorkerRespawns { get; init; }

    /// <summary>Holders that took over from one that had died, since it was mounted.</summary>
    public int HolderRespawns { get; init; }

    /// <summary>Version of the worker.</summary>
    public string WorkerVersion { get; init; } = "";
}
