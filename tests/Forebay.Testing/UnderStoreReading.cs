using Forebay.Core;

namespace Forebay.Testing;

/// <summary>Short forms for tests.</summary>
public static class UnderStoreReading
{
    /// <summary>Reads a range to its end.</summary>
    public static async Task<byte[]> ReadAllAsync(
        this IUnderStore store, string key, ByteRange range, VersionToken? expected = null, CancellationToken cancellationToken = default)
    {
        await using UnderStoreRead read = await store.ReadAsync(key, range, expected, requestId: null, cancellationToken);
        return await read.ReadToEndAsync(cancellationToken);
    }

    /// <summary>Reads the rest of a running read.</summary>
    public static async Task<byte[]> ReadToEndAsync(this UnderStoreRead read, CancellationToken cancellationToken = default)
    {
        using MemoryStream bytes = new();
        byte[] buffer = new byte[64 << 10];
        while (await read.ReadAsync(buffer, cancellationToken) is var count and > 0)
        {
            bytes.Write(buffer, 0, count);
        }

        return bytes.ToArray();
    }

    /// <summary>Lists all pages, each with at most <paramref name="pageSize"/> entries.</summary>
    public static async Task<List<ListEntry>> ListAllAsync(
        this IUnderStore store, string prefix = "", string? delimiter = null, int pageSize = 1000, CancellationToken cancellationToken = default)
    {
        List<ListEntry> all = [];
        string? after = null;
        while (true)
        {
            ListPage page = await store.ListAsync(new ListQuery(prefix, delimiter, after, pageSize), requestId: null, cancellationToken);
            if (page.Entries.Count > pageSize || (page.IsTruncated && page.Entries.Count == 0))
            {
                throw new InvalidOperationException($"a page of {page.Entries.Count} entries, truncated: {page.IsTruncated}, breaks the contract");
            }

            all.AddRange(page.Entries);
            if (!page.IsTruncated)
            {
                return all;
            }

            after = page.Entries[^1].Name;
        }
    }
}
