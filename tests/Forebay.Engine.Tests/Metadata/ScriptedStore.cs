using System.Collections.Concurrent;
using System.Globalization;
using Forebay.Core;

namespace Forebay.Engine.Tests.Metadata;

/// <summary>A set of keys behind the under-store interface: counts questions, can be held and made to fail.</summary>
internal sealed class ScriptedStore : IUnderStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, ObjectStat> _objects = new(KeyOrder.Instance);

    public ConcurrentQueue<string?> RequestIds { get; } = new();

    public int Stats;

    public int Lists;

    /// <summary>Thrown by every question while set.</summary>
    public ForebayException? Failure { get; set; }

    /// <summary>Questions wait for it while set.</summary>
    public TaskCompletionSource? Hold { get; set; }

    /// <summary>Most entries of an answer, whatever is asked.</summary>
    public int PageSize { get; set; } = 1_000;

    /// <summary>Turns of the scheduler that every question takes.</summary>
    public int Turns { get; set; }

    /// <summary>Called with every listing asked for; the answer waits for the task it gives.</summary>
    public Func<ListQuery, Task>? HoldList { get; set; }

    public UnderStoreId Id { get; } = UnderStoreId.From("test", "", "scripted");

    public string DisplayName => "test://scripted";

    public bool HasDirectories { get; init; }

    public static ObjectStat MakeStat(string key, long length = 10, int version = 1, bool headers = false)
    {
        string etag = string.Create(CultureInfo.InvariantCulture, $"\"{(uint)key.Length:x16}{version:x16}\"");
        return new ObjectStat(key, length, new VersionToken(etag), DateTimeOffset.UnixEpoch.AddSeconds(1_700_000_000 + version))
        {
            ETag = etag,
            Headers = headers ? ObjectHeaders.Empty : null,
        };
    }

    public void Put(ObjectStat stat)
    {
        lock (_gate)
        {
            _objects[stat.Key] = stat;
        }
    }

    public void Delete(string key)
    {
        lock (_gate)
        {
            _objects.Remove(key);
        }
    }

    public async Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Stats);
        RequestIds.Enqueue(requestId);
        ObjectStat? found;
        lock (_gate)
        {
            _objects.TryGetValue(key, out found);
        }

        await AnswerAsync(cancellationToken);
        return found is null
            ? throw new ForebayException(ErrorKind.NotFound, $"No object {key}.")
            : found with { Headers = found.Headers ?? ObjectHeaders.Empty };
    }

    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref Lists);
        ListPage page;
        lock (_gate)
        {
            page = ListModel.List(_objects.Values, query with { MaxEntries = Math.Min(query.MaxEntries, PageSize) });
        }

        if (HoldList is { } holdList)
        {
            await holdList(query).WaitAsync(cancellationToken);
        }

        await AnswerAsync(cancellationToken);
        return page;
    }

    public Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
        => throw new NotSupportedException();

    public ListPage Model(ListQuery query)
    {
        lock (_gate)
        {
            return ListModel.List(_objects.Values, query);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task AnswerAsync(CancellationToken cancellationToken)
    {
        // A few turns of the scheduler, so that questions which may overlap do.
        for (int i = 0; i < Turns; i++)
        {
            await Task.Yield();
        }

        if (Hold is { } hold)
        {
            await hold.Task.WaitAsync(cancellationToken);
        }

        if (Failure is { } failure)
        {
            throw failure;
        }
    }
}

/// <summary>The contract of a listing written down as plainly as possible.</summary>
internal static class ListModel
{
    public static ListPage List(IEnumerable<ObjectStat> objectsInOrder, ListQuery query)
    {
        var entries = new List<ListEntry>();
        foreach (ObjectStat stat in objectsInOrder)
        {
            if (!stat.Key.StartsWith(query.Prefix, StringComparison.Ordinal))
            {
                continue;
            }

            ListEntry entry = new(stat.Key, stat);
            int at = query.Delimiter is null ? -1 : stat.Key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            if (at >= 0)
            {
                entry = new ListEntry(stat.Key[..(at + query.Delimiter!.Length)], null);
            }

            bool isRepeated = entries.Count > 0 && entries[^1].IsPrefix && entries[^1].Name == entry.Name;
            bool isBefore = query.After is not null && KeyOrder.Instance.Compare(entry.Name, query.After) <= 0;
            if (!isRepeated && !isBefore)
            {
                if (entries.Count == query.MaxEntries)
                {
                    return new ListPage(entries, IsTruncated: true);
                }

                entries.Add(entry);
            }
        }

        return new ListPage(entries, IsTruncated: false);
    }
}
