using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Engine;
using Forebay.Engine.Status;

namespace Forebay.Cli.Verbs;

/// <summary><c>ls</c>, <c>stat</c>, <c>du</c> and <c>status</c>.</summary>
internal static class NamespaceVerbs
{
    /// <summary>Prints names as they come: a prefix of millions needs no memory here.</summary>
    public static async Task<int> ListAsync(VerbSession session, string path, bool recursive, CancellationToken cancellationToken)
    {
        bool first = true;
        await foreach (ListingEntry entry in session.Client.ListAsync(path, recursive, cancellationToken))
        {
            if (session.Json)
            {
                await session.Output.WriteAsync(first ? $"{{\"path\":\"{JsonEncodedText.Encode(path)}\",\"entries\":[\n" : ",\n");
                await session.Output.WriteAsync(JsonSerializer.Serialize(entry, AdminJson.Default.ListingEntry));
            }
            else
            {
                string size = entry.Bytes is { } bytes ? HumanText.Bytes(bytes) : "-";
                await session.Output.WriteLineAsync($"{size,10}  {HumanText.Time(entry.LastModified),20}  {HumanText.Safe(entry.Path)}");
            }

            first = false;
        }

        if (session.Json)
        {
            await session.Output.WriteLineAsync(first ? $"{{\"path\":\"{JsonEncodedText.Encode(path)}\",\"entries\":[]}}" : "\n]}");
        }

        return ExitCode.Success;
    }

    public static async Task<int> StatAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        var objects = new List<ObjectInfo>();
        int code = await session.ForEachAsync(paths, async path => objects.Add(await session.Client.StatAsync(path, cancellationToken)));
        if (session.Json)
        {
            await session.Output.WriteLineAsync(
                $"[{string.Join(',', objects.Select(info => JsonSerializer.Serialize(info, AdminJson.Default.ObjectInfo)))}]");
            return code;
        }

        foreach (ObjectInfo info in objects)
        {
            await session.Output.WriteAsync(Describe(info));
        }

        return code;
    }

    public static async Task<int> MeasureAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        var rows = new List<UsageRow>();
        int code = await session.ForEachAsync(await ExpandRootAsync(session, paths, cancellationToken), async path =>
        {
            DiskUsage usage = await session.Client.MeasureAsync(path, cancellationToken);
            rows.Add(new UsageRow(path, usage.Objects, usage.Bytes, usage.CachedObjects, usage.CachedBytes));
        });
        if (session.Json)
        {
            await session.Output.WriteLineAsync(JsonSerializer.Serialize(rows, VerbJson.Default.ListUsageRow));
            return code;
        }

        if (rows.Count == 0)
        {
            return code;
        }

        await session.Output.WriteAsync(HumanText.Table(
            ["SIZE", "OBJECTS", "CACHED", "CACHED OBJECTS", "SHARE", "<PATH"],
            [.. rows.Select(row => new[]
            {
                HumanText.Bytes(row.Bytes), HumanText.Count(row.Objects), HumanText.Bytes(row.CachedBytes), HumanText.Count(row.CachedObjects),
                HumanText.Share(row.CachedBytes, row.Bytes), HumanText.Safe(row.Path),
            })]));
        return code;
    }

    public static async Task<int> StatusAsync(VerbSession session, CancellationToken cancellationToken)
    {
        NodeStatus status = await session.Client.GetStatusAsync(cancellationToken);
        if (session.Json)
        {
            await session.Output.WriteLineAsync(JsonSerializer.Serialize(status, AdminJson.Default.NodeStatus));
            return ExitCode.Success;
        }

        TimeSpan up = session.Time.GetUtcNow() - status.StartedAt;
        await session.Output.WriteLineAsync(
            $"forebay {status.Version} at {session.Client.Address.Authority}, up {HumanText.Duration(up)}, memory {HumanText.Bytes(status.ResidentBytes)} of {HumanText.Bytes(status.MemoryLimitBytes)}");
        await session.Output.WriteLineAsync();
        await session.Output.WriteAsync(HumanText.Table(
            ["<MOUNT POINT", "FROM CACHE", "FROM SOURCE", "HIT RATIO", "SOURCE REQUESTS", "ERRORS", "CACHED", "TOTAL", "<SOURCE"],
            [.. status.MountPoints.Select(mount => new[]
            {
                mount.Name, HumanText.Bytes(mount.HitBytes), HumanText.Bytes(mount.UnderStoreBytesRead), HumanText.Share(mount.HitBytes, mount.HitBytes + mount.MissBytes),
                HumanText.Count(mount.UnderStoreRequests), HumanText.Count(mount.UnderStoreErrors), HumanText.Bytes(mount.CachedBytes),
                mount.TotalBytes is { } total ? HumanText.Bytes(total) : "not listed", mount.Source,
            })]));
        foreach (MountPointStatus mount in status.MountPoints.Where(mount => mount.LastError is not null))
        {
            await session.Output.WriteLineAsync($"  last error of {mount.Name}: {HumanText.Safe(mount.LastError!)}");
        }

        await session.Output.WriteLineAsync();
        await session.Output.WriteAsync(HumanText.Table(
            ["<TIER", "<MEDIUM", "USED", "QUOTA", "SHARE", "OBJECTS", "EVICTED", "PROMOTED", "DEMOTED", "<STATE"],
            [.. status.Tiers.Select(tier => new[]
            {
                tier.Directory, tier.Medium, HumanText.Bytes(tier.UsedBytes), HumanText.Bytes(tier.QuotaBytes), HumanText.Share(tier.UsedBytes, tier.QuotaBytes),
                HumanText.Count(tier.Objects), HumanText.Bytes(tier.EvictedBytes),
                HumanText.Bytes(tier.PromotedBytes), HumanText.Bytes(tier.DemotedBytes), tier.State,
            })]));
        return ExitCode.Success;
    }

    /// <summary>The root of the namespace holds nothing but mount points; each gets its row.</summary>
    private static async Task<IReadOnlyList<string>> ExpandRootAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        if (!paths.Contains("/", StringComparer.Ordinal))
        {
            return paths;
        }

        List<string> mountPoints = [];
        await foreach (ListingEntry entry in session.Client.ListAsync("/", recursive: false, cancellationToken))
        {
            mountPoints.Add(entry.Path);
        }

        return [.. paths.SelectMany(path => path is "/" ? mountPoints : [path])];
    }

    private static string Describe(ObjectInfo info)
    {
        var lines = new List<(string Name, string? Value)>
        {
            ("path", info.Path),
            ("size", $"{HumanText.Bytes(info.Bytes)} ({HumanText.Count(info.Bytes)} bytes)"),
            ("modified", HumanText.Time(info.LastModified)),
            ("etag", info.Etag),
            ("version", info.Version),
            ("content type", info.ContentType),
            ("cached", $"{HumanText.Bytes(info.CachedBytes)} ({HumanText.Share(info.CachedBytes, info.Bytes)}){(info.Tiers.Count > 0 ? $" in {string.Join(", ", info.Tiers)}" : "")}"),
            ("pinned", info.Pinned ? "yes" : "no"),
        };
        lines.AddRange((info.UserMetadata ?? new Dictionary<string, string>(StringComparer.Ordinal)).Select(pair => ($"meta {pair.Key}", (string?)pair.Value)));
        return string.Concat(lines.Where(line => line.Value is not null).Select(line => $"{line.Name + ":",-14} {HumanText.Safe(line.Value!)}{Environment.NewLine}"));
    }
}
