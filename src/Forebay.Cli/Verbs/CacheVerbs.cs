using System.Text.Json;
using Forebay.Admin.Api;
using Forebay.Engine;

namespace Forebay.Cli.Verbs;

/// <summary><c>free</c>, <c>pin</c>, <c>unpin</c> and <c>refresh</c>.</summary>
internal static class CacheVerbs
{
    public static Task<int> FreeAsync(VerbSession session, IReadOnlyList<string> paths, bool pinnedToo, bool dryRun, CancellationToken cancellationToken)
        => ChangeAsync(session, paths, "free", dryRun, path => session.Client.FreeAsync(
            new FreeBody { Path = path, PinnedToo = pinnedToo, DryRun = dryRun }, cancellationToken));

    public static Task<int> PinAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
        => ChangeAsync(session, paths, "pin", dryRun: false, path => session.Client.PinAsync(path, cancellationToken));

    public static Task<int> UnpinAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
        => ChangeAsync(session, paths, "unpin", dryRun: false, path => session.Client.UnpinAsync(path, cancellationToken));

    public static async Task<int> ListPinsAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        IReadOnlyList<PinDescription> all = await session.Client.GetPinsAsync(cancellationToken);
        IReadOnlyList<PinDescription> pins = [.. all.Where(pin => paths.Count == 0 || paths.Any(path => IsAtOrBelow(pin.Path, path)))];
        await session.Output.WriteAsync(session.Json
            ? JsonSerializer.Serialize(pins, AdminJson.Default.IReadOnlyListPinDescription) + Environment.NewLine
            : HumanText.Table(
                ["CACHED", "OBJECTS", "<PATH"],
                [.. pins.Select(pin => new[] { HumanText.Bytes(pin.CachedBytes), HumanText.Count(pin.CachedObjects), HumanText.Safe(pin.Path) })]));
        return ExitCode.Success;
    }

    private static bool IsAtOrBelow(string pin, string path)
        => string.Equals(pin, path, StringComparison.Ordinal) || pin.StartsWith(path.EndsWith('/') ? path : path + "/", StringComparison.Ordinal);

    public static Task<int> RefreshAsync(VerbSession session, IReadOnlyList<string> paths, CancellationToken cancellationToken)
        => ChangeAsync(session, paths, "refresh", dryRun: false, async path =>
        {
            await session.Client.RefreshAsync(path, cancellationToken);
            return new CacheChange(0, 0);
        });

    private static async Task<int> ChangeAsync(
        VerbSession session, IReadOnlyList<string> paths, string action, bool dryRun, Func<string, Task<CacheChange>> change)
    {
        var rows = new List<ChangeRow>();
        int code = await session.ForEachAsync(paths, async path =>
        {
            CacheChange done = await change(path);
            var row = new ChangeRow(path, action, dryRun, done.Objects, done.Bytes, done.PinnedObjects);
            rows.Add(row);
            if (!session.Json)
            {
                await session.Output.WriteLineAsync(Describe(row));
            }
        });
        if (session.Json)
        {
            await session.Output.WriteLineAsync(JsonSerializer.Serialize(rows, VerbJson.Default.ListChangeRow));
        }

        return code;
    }

    private static string KeptOf(ChangeRow row)
        => row.PinnedObjects == 0 ? "" : $"; {HumanText.Count(row.PinnedObjects, "pinned object")} kept (--pinned-too drops pinned objects as well)";

    private static string Describe(ChangeRow row)
    {
        string what = row.Action switch
        {
            "free" => row.DryRun ? "would free" : "freed",
            "pin" => "pinned",
            "unpin" => "unpinned",
            _ => "refreshed",
        };
        return string.Equals(row.Action, "refresh", StringComparison.Ordinal)
            ? $"{what} {HumanText.Safe(row.Path)}"
            : $"{what} {HumanText.Bytes(row.Bytes)} of {HumanText.Count(row.Objects, "object")} below {HumanText.Safe(row.Path)}{KeptOf(row)}";
    }
}
