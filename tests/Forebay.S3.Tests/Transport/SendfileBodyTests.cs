using System.IO.Pipelines;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.S3.Tests.Transport;

/// <summary>A piece of a file over a connection that is told how its flush ends: which way Kestrel ends one for a connection that was aborted is a race.</summary>
public sealed class SendfileBodyTests
{
    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    public async Task AFileThatFailsIsReportedHoweverItsFlushEnds(bool isCanceled, bool isCompleted)
    {
        ScriptedConnection connection = new(hasFileFailed: true, () => new FlushResult(isCanceled, isCompleted));

        await Assert.ThrowsAsync<IOException>(() => SendAsync(connection));
    }

    [Fact]
    public async Task AFileThatFailsIsReportedWithTheExceptionThatEndsItsFlush()
    {
        OperationCanceledException ended = new();
        ScriptedConnection connection = new(hasFileFailed: true, () => throw ended);

        IOException reported = await Assert.ThrowsAsync<IOException>(() => SendAsync(connection));

        Assert.Same(ended, reported.InnerException);
    }

    [Fact]
    public async Task AFlushThatEndsForAnotherReasonIsNoFailureOfTheFile()
    {
        Assert.True(await SendAsync(new ScriptedConnection(hasFileFailed: false, () => default)));
        Assert.False(await SendAsync(new ScriptedConnection(hasFileFailed: false, () => new FlushResult(isCanceled: false, isCompleted: true))));
        await Assert.ThrowsAsync<OperationCanceledException>(() => SendAsync(new ScriptedConnection(hasFileFailed: false, () => throw new OperationCanceledException())));
    }

    private static async Task<bool> SendAsync(ScriptedConnection connection)
    {
        DefaultHttpContext context = new();
        context.Features.Set<ISendfileFeature>(connection);
        context.Features.Set<IHttpResponseBodyFeature>(connection);
        context.Request.Method = HttpMethods.Get;
        context.Request.Protocol = HttpProtocol.Http11;
        context.Response.ContentLength = 100;
        using SafeFileHandle file = File.OpenHandle("/dev/null");
        return await SendfileBody.SendAsync(context, file, 0, 100, CancellationToken.None);
    }

    private sealed class ScriptedConnection(bool hasFileFailed, Func<FlushResult> flush) : PipeWriter, ISendfileFeature, IHttpResponseBodyFeature
    {
        private readonly byte[] _memory = new byte[100];

        public bool HasFileFailed => hasFileFailed;

        public PipeWriter Writer => this;

        public Stream Stream => throw new NotSupportedException();

        public void BeginFile(SafeFileHandle file, long offset, int length)
        {
        }

        public bool IsFileMemory(ReadOnlyMemory<byte> memory) => true;

        public void CancelFile() => throw new NotSupportedException();

        public override Memory<byte> GetMemory(int sizeHint = 0) => _memory;

        public override Span<byte> GetSpan(int sizeHint = 0) => _memory;

        public override void Advance(int bytes) => Assert.Equal(100, bytes);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => new(flush());

        public override void CancelPendingFlush() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null) => throw new NotSupportedException();

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task CompleteAsync() => throw new NotSupportedException();

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public void DisableBuffering() => throw new NotSupportedException();
    }
}
