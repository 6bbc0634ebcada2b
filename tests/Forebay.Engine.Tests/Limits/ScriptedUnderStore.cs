using Forebay.Core;

namespace Forebay.Engine.Tests.Limits;

/// <summary>An under-store whose next answers are written down; it counts calls and holds one object of given bytes.</summary>
internal sealed class ScriptedUnderStore(byte[] body) : IUnderStore
{
    private readonly Queue<Func<CancellationToken, Task>> _script = new();

    public UnderStoreId Id => UnderStoreId.From("test", "", "scripted");

    public string DisplayName => "test://scripted";

    public bool HasDirectories => false;

    public int Calls { get; private set; }

    public Func<CancellationToken, ValueTask>? BeforeBodyRead { get; set; }

    public ScriptedUnderStore Then(Func<CancellationToken, Task> step)
    {
        _script.Enqueue(step);
        return this;
    }

    public ScriptedUnderStore ThenFail(ErrorKind kind, TimeSpan? retryAfter = null)
        => Then(_ => throw new ForebayException(kind, $"scripted {kind}") { RetryAfter = retryAfter });

    // Ends inside the cancellation itself, so that manual time cannot run ahead of it.
    public ScriptedUnderStore ThenHang() => Then(async token =>
    {
        var hung = new TaskCompletionSource();
        await using CancellationTokenRegistration registration = token.Register(() => hung.TrySetCanceled(token));
        await hung.Task;
    });

    public async Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        await StepAsync(cancellationToken);
        return Stat(key);
    }

    public async Task<UnderStoreRead> ReadAsync(
        string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        await StepAsync(cancellationToken);
        return new Body(this, body) { Stat = Stat(key), Range = range.ClampTo(body.Length) };
    }

    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        await StepAsync(cancellationToken);
        return new ListPage([], IsTruncated: false);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private ObjectStat Stat(string key)
        => new(key, body.Length, new VersionToken("\"v1\""), DateTimeOffset.UnixEpoch) { ETag = "\"v1\"", Headers = ObjectHeaders.Empty };

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        Calls++;
        if (_script.TryDequeue(out Func<CancellationToken, Task>? step))
        {
            await step(cancellationToken);
        }
    }

    private sealed class Body(ScriptedUnderStore store, byte[] bytes) : UnderStoreRead
    {
        private long _position = -1;

        public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            if (store.BeforeBodyRead is { } hook)
            {
                await hook(cancellationToken);
            }

            _position = _position < 0 ? Range.Offset : _position;
            int count = (int)Math.Min(destination.Length, Range.End - _position);
            bytes.AsMemory((int)_position, count).CopyTo(destination);
            _position += count;
            return count;
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
