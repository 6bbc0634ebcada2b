using System.Globalization;
using Forebay.Core;
using Forebay.Engine;

namespace Forebay.Admin.Api;

/// <summary>Looks into the namespace.</summary>
internal static class NamespaceHandlers
{
    public const int MaxEntries = 1_000;

    public static async Task StatAsync(AdminContext context)
    {
        PathDescription description = await context.Node.DescribeAsync(context.RequiredPath(), context.Aborted);
        await context.WriteAsync(ObjectInfo.From(description), AdminJson.Default.ObjectInfo);
    }

    public static async Task MeasureAsync(AdminContext context)
    {
        DiskUsage usage = await context.Node.MeasureAsync(context.RequiredPath(), context.Aborted);
        await context.WriteAsync(usage, AdminJson.Default.DiskUsage);
    }

    public static async Task ListAsync(AdminContext context)
    {
        string asked = context.Query("path") ?? "/";
        NamespacePath path = NamespacePath.Parse(asked);
        bool recursive = context.Flag("recursive");
        int limit = ReadLimit(context.Query("limit"));
        Listing listing = path.IsRoot
            ? ListMountPoints(context.Node, recursive, context.Query("after"), limit)
            : await ListMountPointAsync(context, asked, path, recursive, context.Query("after"), limit);
        await context.WriteAsync(listing, AdminJson.Default.Listing);
    }

    private static Listing ListMountPoints(INode node, bool recursive, string? after, int limit)
    {
        if (recursive)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, "A recursive listing begins at a mount point: write /name.");
        }

        ListingEntry[] entries = [.. node.MountPoints
            .Select(mount => new ListingEntry($"/{mount.Name}/", "mount", null, null, null))
            .Where(entry => after is null || KeyOrder.Compare(entry.Path, after) > 0)
            .Take(limit + 1)];
        return entries.Length <= limit
            ? new Listing("/", entries, Next: null)
            : new Listing("/", entries[..limit], entries[limit - 1].Path);
    }

    private static async Task<Listing> ListMountPointAsync(
        AdminContext context, string asked, NamespacePath path, bool recursive, string? after, int limit)
    {
        IMountPoint mount = path.Find(context.Node);
        string? afterKey = after is null ? null : KeyOf(after, path);
        if (!path.IsTree)
        {
            // A path without a slash at its end is that object; only where there is none, what lies below it.
            try
            {
                ObjectStat stat = await mount.StatAsync(path.Key, context.RequestId, context.Aborted);
                return new Listing(asked, [ToEntry(path, new ListEntry(path.Key, stat))], Next: null);
            }
            catch (ForebayException error) when (error.Kind == ErrorKind.NotFound)
            {
                path = path with { Key = path.Key + "/" };
            }
        }

        ListPage page = await mount.ListAsync(
            new ListQuery(path.Key, recursive ? null : "/", afterKey, limit), context.RequestId, context.Aborted);
        if (page.Entries.Count == 0 && afterKey is null && path.Key.Length > 0)
        {
            throw new ForebayException(ErrorKind.NotFound, $"There is no object '{asked}' and nothing below it.");
        }

        ListingEntry[] entries = [.. page.Entries.Select(entry => ToEntry(path, entry))];
        return new Listing(asked, entries, page.IsTruncated ? entries[^1].Path : null);
    }

    private static ListingEntry ToEntry(NamespacePath path, ListEntry entry)
        => entry.Stat is { } stat
            ? new ListingEntry(path.Of(entry.Name), "object", stat.Length, stat.LastModified, stat.ETag)
            : new ListingEntry(path.Of(entry.Name), "prefix", null, null, null);

    private static string KeyOf(string after, NamespacePath path)
    {
        NamespacePath parsed = NamespacePath.Parse(after);
        return string.Equals(parsed.MountPoint, path.MountPoint, StringComparison.Ordinal)
            ? parsed.Key
            : throw new ForebayException(ErrorKind.InvalidArgument, $"'after' is '{after}', which is not below '/{path.MountPoint}'; give the 'next' of the page before.");
    }

    private static int ReadLimit(string? text)
    {
        if (text is null)
        {
            return MaxEntries;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) && limit is >= 1 and <= MaxEntries
            ? limit
            : throw new ForebayException(ErrorKind.InvalidArgument, $"'limit' is '{text}'; it lies between 1 and {MaxEntries}.");
    }
}
