using Forebay.Core;

namespace Forebay.S3.Operations;

/// <summary>Fetches one page of a listing as S3 defines it from the pages of a mount point.</summary>
internal static class Listing
{
    public static async ValueTask<ListPage> FetchAsync(S3Request request, ListParameters parameters, string? after, CancellationToken cancellationToken)
    {
        ListPage page = await FetchPageAsync(request, parameters, after, cancellationToken);

        // Not before: a source that is a node tells of it with its first answer.
        if (request.MountPoint!.HasDirectories)
        {
            request.Http.Response.Headers[NodeHeaders.HasDirectories] = "true";
        }

        return page;
    }

    private static async ValueTask<ListPage> FetchPageAsync(S3Request request, ListParameters parameters, string? after, CancellationToken cancellationToken)
    {
        if (parameters.MaxKeys == 0)
        {
            return new ListPage([], IsTruncated: false);
        }

        List<ListEntry>? collected = null;
        if (FindOpenPrefix(parameters, after) is { } open)
        {
            // S3 still shows a common prefix when the marker lies inside of it and names follow; the engine's order counts a prefix entry by
            // its own name, which sorts before such a marker.
            ListPage below = await ListAsync(request, new ListQuery(open, null, after, 1), cancellationToken);
            if (below.Entries.Count > 0)
            {
                collected = [new ListEntry(open, null)];
            }

            after = open;
        }

        while (true)
        {
            int wanted = parameters.MaxKeys - (collected?.Count ?? 0);
            if (wanted == 0)
            {
                // Only an open prefix can fill a page before the first query; whether more follows takes one more look.
                ListPage probe = await ListAsync(request, new ListQuery(parameters.Prefix, parameters.Delimiter, after, 1), cancellationToken);
                return new ListPage(collected!, probe.Entries.Count > 0);
            }

            ListPage page = await ListAsync(request, new ListQuery(parameters.Prefix, parameters.Delimiter, after, wanted), cancellationToken);
            if (collected is null && (!page.IsTruncated || page.Entries.Count == parameters.MaxKeys))
            {
                return page;
            }

            // Pages of the under-store may be short; a page is filled up because some clients take a short one for the last.
            collected ??= new List<ListEntry>(parameters.MaxKeys);
            collected.AddRange(page.Entries);
            if (!page.IsTruncated || collected.Count == parameters.MaxKeys || page.Entries.Count == 0)
            {
                return new ListPage(collected, page.IsTruncated);
            }

            after = page.Entries[^1].Name;
        }
    }

    private static ValueTask<ListPage> ListAsync(S3Request request, ListQuery query, CancellationToken cancellationToken)
        => request.MountPoint!.ListAsync(query, request.RequestId, cancellationToken);

    /// <summary>The common prefix that a marker given by the client lies inside of; null when there is none.</summary>
    private static string? FindOpenPrefix(ListParameters parameters, string? after)
    {
        if (after is null || parameters.Delimiter is not { } delimiter || !after.StartsWith(parameters.Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        int cut = after.IndexOf(delimiter, parameters.Prefix.Length, StringComparison.Ordinal);
        int end = cut + delimiter.Length;
        return cut < 0 || end == after.Length ? null : after[..end];
    }
}
