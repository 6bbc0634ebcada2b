namespace Forebay.S3.Transport;

/// <summary>Connection feature of the sendfile transport: where the connection's requests run.</summary>
public interface IInlineFeature
{
    /// <summary>
    /// True: a request begins on the thread of the event loop that met it, without a hop to the pool; whoever serves it awaits
    /// <see cref="Core.LoopThread.LeaveAsync"/> before anything that may wait. False, the default: on a thread of the pool. Set it before the first read.
    /// </summary>
    bool RunsInline { get; set; }
}
