using Forebay.Core;

namespace Forebay.Cli.Mounting;

/// <summary>A store whose first page is asked for at once, while the engine is still being opened. Who asks for that page first gets the answer; all else goes to the store.</summary>
internal sealed class EarlyListing : IUnderStore
{
    private readonly IUnderStore _inner;
    private readonly ListQuery _query;
    private readonly CancellationTokenSource _stop = new();
    private Task<ListPage>? _answer;

    /// <param name="inner">Asked; owned from here on.</param>
    /// <param name="query">The page.</param>
    public EarlyListing(IUnderStore inner, ListQuery query)
    {
        _inner = inner;
        _query = query;
        _answer = Task.Run(() => inner.ListAsync(query, requestId: null, _stop.Token));

        // Nobody may ask.
        _ = _answer.ContinueWith(static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public UnderStoreId Id => _inner.Id;

    /// <inheritdoc/>
    public string DisplayName => _inner.DisplayName;

    /// <inheritdoc/>
    public bool HasDirectories => _inner.HasDirectories;

    /// <inheritdoc/>
    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken) => _inner.StatAsync(key, requestId, cancellationToken);

    /// <inheritdoc/>
    public Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
        => _inner.ReadAsync(key, range, expected, requestId, cancellationToken);

    /// <inheritdoc/>
    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        // A page with fewer entries than were asked for is as good, as long as it says that there are more.
        bool isTheSame = query with { MaxEntries = _query.MaxEntries } == _query && query.MaxEntries >= _query.MaxEntries;
        return isTheSame && Interlocked.Exchange(ref _answer, null) is { } answer
            ? answer.WaitAsync(cancellationToken)
            : _inner.ListAsync(query, requestId, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _inner.DisposeAsync();
        _stop.Dispose();
    }
}
