using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Forebay.Core;

namespace Forebay.MetadataBench;

/// <summary>A source of generated keys (mean 48 bytes) that are computed, not kept.</summary>
internal sealed class GeneratedStore(int count) : IUnderStore
{
    private const int KeysPerDirectory = 2_000;

    public int Lists;

    public UnderStoreId Id { get; } = UnderStoreId.From("generated", "", "");

    public string DisplayName => "generated://";

    public bool HasDirectories => false;

    public static string KeyOf(int i)
        => string.Create(CultureInfo.InvariantCulture, $"train/shard-{i / KeysPerDirectory:D5}/sample-{i:D9}-{(uint)(i * 2654435761u):x8}.jpeg");

    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Lists);
        int from = FirstAtOrAfter(query.Prefix);
        if (query.After is not null)
        {
            from = Math.Max(from, FirstAtOrAfter(query.After + "\0"));
        }

        var entries = new List<ListEntry>(query.MaxEntries);
        for (int i = from; i < count; i++)
        {
            string key = KeyOf(i);
            if (!key.StartsWith(query.Prefix, StringComparison.Ordinal))
            {
                break;
            }

            int at = query.Delimiter is null ? -1 : key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            string name = at < 0 ? key : key[..(at + query.Delimiter!.Length)];
            if (query.After is not null && string.CompareOrdinal(name, query.After) <= 0)
            {
                continue;
            }

            if (entries.Count == query.MaxEntries)
            {
                return Task.FromResult(new ListPage(entries, IsTruncated: true));
            }

            if (at >= 0)
            {
                entries.Add(new ListEntry(name, null));
                i = FirstAtOrAfter(name + "\uffff") - 1;
                continue;
            }

            entries.Add(new ListEntry(key, StatOf(key, i)));
        }

        return Task.FromResult(new ListPage(entries, IsTruncated: false));
    }

    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        int i = FirstAtOrAfter(key);
        return Task.FromResult(StatOf(key, i) with { Headers = ObjectHeaders.Empty });
    }

    public Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static ObjectStat StatOf(string key, int i)
    {
        string etag = "\"" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 16)) + "\"";
        return new ObjectStat(key, 100_000 + (i * 37L % 50_000), new VersionToken(etag), DateTimeOffset.UnixEpoch.AddSeconds(1_700_000_000 + (i / 3)))
        {
            ETag = etag,
        };
    }

    private int FirstAtOrAfter(string name)
    {
        int low = 0;
        int high = count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (string.CompareOrdinal(KeyOf(middle), name) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
