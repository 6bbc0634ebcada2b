using System.Globalization;
using System.Text.Json.Serialization;
using Forebay.Mounting.Registry;

namespace Forebay.Cli.Top;

/// <summary>What a mount's worker did when it was last asked.</summary>
internal enum TopState
{
    /// <summary>It answered, and before that, too: there are rates.</summary>
    Ok,

    /// <summary>It answered for the first time: rates come with the next table.</summary>
    New,

    /// <summary>It did not answer in time; rates are those of before, if there are any.</summary>
    Silent,
}

/// <summary>One mount in a table; the names in JSON are stable.</summary>
/// <param name="Directory">Mount point.</param>
/// <param name="Source">What is mounted.</param>
/// <param name="State">Whether its worker answers.</param>
/// <param name="HolderPid">Process that owns the mount.</param>
/// <param name="WorkerPid">Process that answers the kernel; 0 while it is being replaced.</param>
/// <param name="HolderResidentBytes">Resident memory; null when there is no such process, or it may not be looked at.</param>
/// <param name="WorkerResidentBytes">Likewise.</param>
/// <param name="WorkerRespawns">Workers that took over from one that had died.</param>
/// <param name="HolderRespawns">Holders that did.</param>
/// <param name="Rates">Null before the second answer.</param>
internal sealed record TopRow(
    string Directory, string Source, TopState State, int HolderPid, int WorkerPid, long? HolderResidentBytes, long? WorkerResidentBytes, int WorkerRespawns, int HolderRespawns, MountRates? Rates)
{
    public static TopRow Of(WatchedMount watched)
    {
        RegisteredMount mount = watched.Mount;
        MountRates? rates = watched.Rates;
        TopState state = watched.IsSilent ? TopState.Silent : rates is null ? TopState.New : TopState.Ok;
        return new TopRow(
            mount.Directory, mount.Source, state, mount.HolderPid, mount.WorkerPid, ResidentBytes(mount.HolderPid), ResidentBytes(mount.WorkerPid), mount.WorkerRespawns, mount.HolderRespawns, rates);
    }

    /// <summary>Resident memory of a process as the kernel tells it, shared memory included.</summary>
    internal static long? ResidentBytes(int process)
    {
        const string Field = "VmRSS:";
        try
        {
            string? line = process <= 0 ? null : File.ReadLines($"/proc/{process}/status").FirstOrDefault(text => text.StartsWith(Field, StringComparison.Ordinal));
            return line is not null && long.TryParse(line[Field.Length..].Replace("kB", "", StringComparison.Ordinal), NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out long kibibytes)
                ? kibibytes << 10
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <summary>One table for machines.</summary>
/// <param name="Time">When it was made.</param>
/// <param name="Mounts">By mount point.</param>
internal sealed record TopFrame(DateTimeOffset Time, IReadOnlyList<TopRow> Mounts);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(TopStateConverter)])]
[JsonSerializable(typeof(TopFrame))]
internal sealed partial class TopJson : JsonSerializerContext;

internal sealed class TopStateConverter() : JsonStringEnumConverter<TopState>(System.Text.Json.JsonNamingPolicy.CamelCase);
