using Forebay.Admin.Client;
using Forebay.Cli.Configuration;
using Forebay.Cli.Verbs;
using Forebay.Engine.Status;
using Forebay.Fuse;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Doctor;

/// <summary>How a directory answered.</summary>
internal enum MountAnswer
{
    /// <summary>It did.</summary>
    Answers,

    /// <summary>"Transport endpoint is not connected".</summary>
    NotConnected,

    /// <summary>Not within the patience.</summary>
    Silent,
}

/// <summary>The mounts that there are: whether they are served, by whom, and whether their sources answer.</summary>
/// <param name="registry">Mounts of this user.</param>
/// <param name="probe">Asks a mount point that no process of this user serves.</param>
/// <param name="time">Clock.</param>
internal sealed class MountChecks(MountRegistry registry, Func<string, MountAnswer> probe, TimeProvider time)
{
    private const int NotConnected = 107;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>A source may take its time to say that a name is not there.</summary>
    private static readonly TimeSpan SourcePatience = TimeSpan.FromSeconds(20);

    /// <summary>Checks all of them.</summary>
    public async Task<IReadOnlyList<Finding>> RunAsync(IReadOnlyList<MountEntry> entries, CancellationToken cancellationToken)
    {
        List<Finding> findings = [];
        int registered = EntriesOf(registry.Directory);
        IReadOnlyList<RegisteredMount> mounts = registry.List();
        if (registered - EntriesOf(registry.Directory) is > 0 and int removed)
        {
            findings.Add(new Finding("registry", FindingState.Warn, $"{HumanText.Count(removed, "mount")} had been killed with all processes; what they left in {registry.Directory} was removed."));
        }

        foreach (string directory in entries.Where(entry => entry.Type is "fuse.forebay").Select(entry => entry.Directory).Distinct(StringComparer.Ordinal).Except(mounts.Select(mount => mount.Directory), StringComparer.Ordinal))
        {
            findings.Add(Unserved(directory));
        }

        foreach (RegisteredMount mount in mounts)
        {
            findings.AddRange(await ServedAsync(mount, entries, cancellationToken));
        }

        return findings;
    }

    /// <summary>Asks a directory from a thread that is left behind when it hangs.</summary>
    public static MountAnswer Probe(string directory)
    {
        MountAnswer answer = MountAnswer.Silent;
        Thread asking = new(() => answer = Ask(directory)) { IsBackground = true, Name = "doctor" };
        asking.Start();
        return asking.Join(Patience) ? answer : MountAnswer.Silent;
    }

    private static MountAnswer Ask(string directory)
    {
        try
        {
            // Asked by statfs: attributes of the root may still lie in the kernel, which then answers for a mount that is dead.
            _ = new DriveInfo(directory).TotalSize;
            return MountAnswer.Answers;
        }
        catch (IOException e) when (e.HResult == NotConnected)
        {
            return MountAnswer.NotConnected;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Of another user, who did not share it: the kernel says so without asking anybody.
            return MountAnswer.Answers;
        }
    }

    private Finding Unserved(string directory) => probe(directory) switch
    {
        MountAnswer.NotConnected => new Finding("mount", FindingState.Fail, $"{directory} is dead (\"Transport endpoint is not connected\"): its processes were killed.", $"Run 'forebay unmount --lazy {directory}', then mount again."),
        MountAnswer.Silent => new Finding("mount", FindingState.Fail, $"{directory} does not answer.", $"Look for its worker as the user who mounted it; 'forebay unmount --force {directory}' ends it with errors to its users."),
        _ => new Finding("mount", FindingState.Ok, $"{directory} answers; it is not in {registry.Directory}, so another user or another runtime directory has it."),
    };

    private async Task<List<Finding>> ServedAsync(RegisteredMount mount, IReadOnlyList<MountEntry> entries, CancellationToken cancellationToken)
    {
        using AdminClient client = AdminClient.OverSocket(mount.ControlSocket, time);
        NodeStatus status;
        try
        {
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            status = await client.GetStatusAsync(patience.Token);
        }
        catch (Exception e) when (e is AdminClientException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return [new Finding("mount", FindingState.Fail, $"The worker of {mount.Directory} does not answer at {mount.ControlSocket}.", "Look into the mount's log in the runtime directory; 'forebay mount --upgrade DIR' replaces the worker.")];
        }

        List<Finding> findings = [new Finding("mount", FindingState.Ok, $"{mount.Directory} is served by worker {mount.WorkerPid} from {HumanText.Safe(mount.Source)}.")];
        findings.Add(await SourceAsync(client, mount, cancellationToken));
        foreach (TierStatus tier in status.Tiers)
        {
            (long size, long free) = DefaultCache.DiskSpaceOf(tier.Directory);
            findings.Add(string.Equals(tier.State, "ok", StringComparison.Ordinal)
                ? MachineChecks.Cache(tier.Directory, entries, size, free)
                : new Finding("cache", FindingState.Warn, $"{tier.Directory}: {HumanText.Safe(tier.State)}.", "docs/TROUBLESHOOTING.md, Disk, has a row for it."));
        }

        return findings;
    }

    /// <summary>A name that nobody has seen: the answer comes from the source, with the mount's own credentials.</summary>
    private static async Task<Finding> SourceAsync(AdminClient client, RegisteredMount mount, CancellationToken cancellationToken)
    {
        string source = HumanText.Safe(mount.Source);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(SourcePatience);
        try
        {
            _ = await client.StatAsync($"/{mount.Name}/.forebay-doctor-{Guid.NewGuid():N}", patience.Token);
            return new Finding("source", FindingState.Ok, $"{source} answers.");
        }
        catch (AdminClientException e) when (e.Kind is "notFound")
        {
            return new Finding("source", FindingState.Ok, $"{source} answers.");
        }
        catch (AdminClientException e) when (e.Kind is "accessDenied")
        {
            return new Finding("source", FindingState.Warn, $"{source} refuses to tell whether a name is there: {HumanText.Safe(e.Message)}", "Give the mount's credentials the right to list; without it a missing file looks like a forbidden one.");
        }
        catch (AdminClientException e)
        {
            return new Finding("source", FindingState.Fail, $"{source} does not answer: {HumanText.Safe(e.Message)}", "Cached files are served on. 'forebay status DIR' shows the last error.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new Finding("source", FindingState.Fail, $"{source} does not answer within {SourcePatience.TotalSeconds:0} s.", "Cached files are served on. 'forebay status DIR' shows the last error.");
        }
    }

    private static int EntriesOf(string directory) => Directory.Exists(directory) ? Directory.GetFiles(directory, "*.mount").Length : 0;
}
